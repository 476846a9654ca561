"""Run untrusted plugins: a host with an API and limits, which survives bad plugins.

A plugin is a module that exports `price`. It gets a store of its own, this API and nothing else.
"""

import wamr

API = '(import "shop" "stock" (func $stock (param i32) (result i32)))'
LOG = '(import "shop" "log" (func $log (param i32 i32)))'
PRICE = '(func (export "price") (param $item i32) (param $cents i32) (result i32)'

PLUGINS = {
    "clearance": f"""(module {API} {LOG}
      (memory (export "memory") 1) (data (i32.const 0) "last ones!")
      {PRICE}
        (if (result i32) (i32.lt_s (call $stock (local.get $item)) (i32.const 5))
          (then (call $log (i32.const 0) (i32.const 10))
            (i32.div_s (local.get $cents) (i32.const 2)))
          (else (local.get $cents)))))""",
    "tax": f"""(module {PRICE}
      (i32.div_s (i32.mul (local.get $cents) (i32.const 119)) (i32.const 100))))""",
    "endless": f"(module {PRICE} (loop $on (br $on)) unreachable))",
    "crashing": f"(module {PRICE} (i32.div_s (local.get $cents) (i32.const 0))))",
    "liar": f'(module {LOG} (memory (export "memory") 1) {PRICE}'
    " (call $log (i32.const 65530) (i32.const 99)) (i32.const 1)))",
    "nosy": f'(module (import "shop" "customers" (func)) {PRICE} (i32.const 1)))',
    "old": '(module (func (export "cost") (result i32) (i32.const 1)))',
    "broken": "(module (func",
}
WANTED = wamr.FuncType.parse("(i32, i32) -> i32")
STOCK = {1: 3, 2: 40}


class Plugin:
    def __init__(self, name: str, source: str) -> None:
        self.name = name
        store = wamr.Store()

        def log(caller: wamr.Instance, offset: int, size: int) -> None:
            print(f"    {name} says: {caller.exports.memory.read(offset, size).decode()}")

        api = {
            "log": wamr.Func(store, None, log, access_caller=True),
            "stock": lambda item: STOCK.get(item, 0),
        }
        # The limits hold for a start function, too: loading can't hang.
        limits = wamr.ResourceLimits(timeout=1, stack_bytes=64 * 1024)
        inst = wamr.Instance(store, wamr.Module(store, source), {"shop": api}, limits=limits)
        self.price = inst.exports.get("price")
        if not isinstance(self.price, wamr.Func) or self.price.type != WANTED:
            raise wamr.LinkError(f"a plugin must export price: {WANTED}")


loaded = []
for name, source in PLUGINS.items():
    try:
        loaded.append(Plugin(name, source))
    except wamr.WasmError as error:
        print(f"{name} was not loaded: {type(error).__name__}: {str(error).splitlines()[0]}")

for item, cents in {1: 1000, 2: 2000}.items():
    print(f"item {item} costs {cents}")
    for plugin in list(loaded):
        try:
            # Fuel makes an endless loop end after the same number of steps on every machine.
            cents = plugin.price.call(item, cents, fuel=10_000)
            print(f"    {plugin.name}: {cents}")
        except (wamr.Trap, IndexError) as error:  # IndexError: `log` outside of its memory
            loaded.remove(plugin)
            print(f"    {plugin.name} is out: {type(error).__name__}: {str(error).splitlines()[0]}")
