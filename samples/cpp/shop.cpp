// A shop that throws C++ exceptions. cpp_exceptions.py compiles it.
#include <exception>

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

// Imported: Python's function.
extern "C" __attribute__((import_module("env"), import_name("price"))) int price(int item);

struct OutOfStock : std::exception {
    int item;
    explicit OutOfStock(int item) : item(item) {}
    const char *what() const noexcept override { return "out of stock"; }
};

int reserved = 0;

struct Reservation { // ends when its function returns or an exception leaves it
    Reservation() { reserved++; }
    ~Reservation() { reserved--; }
};

EXPORT(check) void check(int item)
{
    if (item > 5)
        throw OutOfStock(item);
}

EXPORT(total) int total(int item, int count)
{
    Reservation reservation;
    return price(item) * count;
}

EXPORT(total_or_missing) int total_or_missing(int item, int count)
{
    try {
        return total(item, count);
    }
    catch (const OutOfStock &error) {
        return -error.item;
    }
}

EXPORT(reservations) int reservations() { return reserved; }

// Returns the text of an exception that has left the module, and deletes the exception.
EXPORT(describe) const char *describe(void *exception)
{
    try {
        __builtin_wasm_throw(0, exception);
    }
    catch (const std::exception &error) {
        return error.what();
    }
    catch (...) {
        return "not a std::exception";
    }
}
