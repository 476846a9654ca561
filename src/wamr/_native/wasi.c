/* wasi.c */
#include "internal.h"
bool wpy_wasi_apply(wpy_wasi *wasi, struct InstantiationArgs2 *args){(void)wasi;(void)args;return true;}
wpy_func *wpy_wasi_override(wpy_wasi *wasi, const char *name){(void)wasi;(void)name;return NULL;}
void wpy_wasi_free(wpy_wasi *wasi){(void)wasi;}
