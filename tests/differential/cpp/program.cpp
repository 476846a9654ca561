// A command that throws and catches in each way that C++ has. test_cpp.py compares its output.
#include <cstdio>
#include <exception>
#include <typeinfo>

struct Base {
    int number;
    explicit Base(int number) : number(number) {}
    Base(const Base &other) : number(other.number) { std::printf("copy %d\n", number); }
    virtual ~Base() {}
    virtual const char *name() const { return "Base"; }
};
struct Derived : Base {
    using Base::Base;
    const char *name() const override { return "Derived"; }
};
struct Other {
    long long wide;
};
struct Standard : std::exception {
    const char *what() const noexcept override { return "a standard exception"; }
};

struct Guard {
    const char *name;
    explicit Guard(const char *name) : name(name) { std::printf("+%s ", name); }
    ~Guard() { std::printf("-%s%s ", name, std::uncaught_exceptions() ? "!" : ""); }
};

static void thrower(int kind)
{
    Guard guard("thrower");
    switch (kind) {
    case 0:
        throw 42;
    case 1:
        throw Derived(7);
    case 2:
        throw Other{1LL << 40};
    case 3:
        throw Standard();
    case 4:
        throw "text";
    case 5:
        throw 2.5;
    case 6: {
        static Derived kept(9);
        throw &kept;
    }
    }
}

static int deep(int kind, int depth)
{
    Guard guard("deep");
    if (depth == 0)
        thrower(kind);
    else
        deep(kind, depth - 1);
    return depth;
}

static void kinds()
{
    for (int kind = 0; kind < 8; kind++) {
        try {
            try {
                std::printf("returned %d\n", deep(kind, 2));
            }
            catch (const Other &other) {
                std::printf("Other %lld\n", other.wide);
            }
            catch (double number) {
                std::printf("double %g, again: ", number);
                throw;
            }
        }
        catch (int number) {
            std::printf("int %d\n", number);
        }
        catch (const Base &base) {
            std::printf("%s %d\n", base.name(), base.number);
        }
        catch (const Base *base) {
            std::printf("%s at an address\n", base->name());
        }
        catch (const std::exception &error) {
            std::printf("%s\n", error.what());
        }
        catch (...) {
            std::printf("something else\n");
        }
    }
}

static void nested()
{
    try {
        try {
            throw Derived(1);
        }
        catch (Base &first) {
            try {
                throw Derived(2);
            }
            catch (Base second) { // a slice, by copy
                std::printf("%s %d in %s %d\n", second.name(), second.number, first.name(),
                            first.number);
            }
            first.number = 3;
            throw;
        }
    }
    catch (Derived &last) {
        std::printf("changed: %d\n", last.number);
    }
}

struct Member {
    Guard guard;
    explicit Member(bool fails) : guard("member")
    {
        if (fails)
            throw 1;
    }
};
struct Whole {
    Guard guard;
    Member good, bad;
    Whole() try : guard("whole"), good(false), bad(true) {
    }
    catch (int) {
        std::printf("in the constructor's handler\n");
        throw 2;
    }
};

static void constructors()
{
    try {
        Whole whole;
    }
    catch (int number) {
        std::printf("not made: %d\n", number);
    }
    try {
        Member *many = new Member[2]{Member(false), Member(true)};
        delete[] many;
    }
    catch (int) {
        std::printf("not allocated\n");
    }
}

static int leaving()
{
    for (int i = 0; i < 4; i++) {
        Guard guard("turn");
        try {
            if (i == 1)
                continue;
            if (i == 2)
                throw i;
        }
        catch (int number) {
            return number * 10;
        }
    }
    return 0;
}

static void many()
{
    long sum = 0;
    for (int i = 0; i < 20000; i++) {
        try {
            throw Derived(i);
        }
        catch (const Base &base) {
            sum += base.number;
        }
    }
    std::printf("%ld\n", sum);
}

static void kept()
{
    std::exception_ptr pointer;
    try {
        throw Derived(5);
    }
    catch (...) {
        pointer = std::current_exception();
    }
    try {
        std::rethrow_exception(pointer);
    }
    catch (const Derived &again) {
        std::printf("rethrown: %d\n", again.number);
    }
}

static void silent() noexcept
{
    throw 1;
}

int main(int count, char **)
{
    kinds();
    nested();
    constructors();
    std::printf("\nleft with %d\n", leaving());
    many();
    kept();
    std::set_terminate([] {
        std::printf("terminated\n");
        std::fflush(stdout);
        __builtin_trap();
    });
    if (count > 2)
        throw Derived(6);
    if (count > 1)
        silent();
    return 3;
}
