/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The only door to LuaJIT: its headers are included here and nowhere else,
 * and this header by fota_script*.c alone.
 */

#ifndef FOTA_SCRIPT_LUA_H
#define FOTA_SCRIPT_LUA_H


#include <lua.h>
#include <lualib.h>
#include <lauxlib.h>
#include <luajit.h>

#include "fota_script.h"
#include "fota_script_limits.h"


struct fota_script_s {
    fota_script_limits_t        limits;     /* first: the allocator's ud */
    lua_State                  *lua;
    int                         function;   /* reference of the hook */
    int                         meta;       /* reference of the metatable */
    uint32_t                    failures;   /* exhaustions in a row */
    fota_script_opt_t           opt;
    char                       *source;
    size_t                      length;
    char                       *name;       /* chunk name, "@FILE" */

    /* Of the running call. */
    fota_mem_t                 *mem;
    const fota_script_input_t  *in;
    fota_script_result_t       *out;
};


static inline fota_script_t *
fota_script_of(lua_State *L)
{
    void  *ud;

    (void) lua_getallocf(L, &ud);

    return ud;
}


/*
 * Leaves the environment of the script on the stack: the allow-list, or with
 * trusted everything that Lua has.  May throw.
 */
void fota_script_environment(lua_State *L, bool trusted);

/* __index of the hook's argument: makes what the script looks at. */
int fota_script_index(lua_State *L);

/* Reads the hook's result at index 2 into s->out; throws on a bad one. */
void fota_script_result(lua_State *L, fota_script_result_t *out);


#endif /* FOTA_SCRIPT_LUA_H */
