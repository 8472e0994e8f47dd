/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fota_script_lua.h"
#include "fota_version.h"


#define FOTA_SCRIPT_STRING_MAX  1024    /* bytes a helper looks at */


static void
fota_script_charge(lua_State *L, size_t bytes)
{
    fota_script_t  *s = fota_script_of(L);

    s->limits.fuel -= (int64_t) (bytes / FOTA_FUEL_BYTES + 1);
}


/* The helpers that replace what Lua's library does without bounds. */

static int
fota_script_find(lua_State *L)
{
    size_t       n, m;
    const char  *s, *what, *p;
    lua_Integer  init;

    s = luaL_checklstring(L, 1, &n);
    what = luaL_checklstring(L, 2, &m);
    init = luaL_optinteger(L, 3, 1);

    luaL_argcheck(L, m <= FOTA_SCRIPT_STRING_MAX, 2, "is too long");
    fota_script_charge(L, n);

    if (init < 1 || (size_t) init > n + 1) {
        lua_pushnil(L);
        return 1;
    }

    p = memmem(s + init - 1, n - (size_t) init + 1, what, m);
    if (p == NULL) {
        lua_pushnil(L);
        return 1;
    }

    lua_pushinteger(L, (p - s) + 1);
    lua_pushinteger(L, (p - s) + (lua_Integer) m);

    return 2;
}


static int
fota_script_glob(lua_State *L)
{
    size_t       n, m;
    const char  *pattern, *s;

    pattern = luaL_checklstring(L, 1, &m);
    s = luaL_checklstring(L, 2, &n);

    luaL_argcheck(L, m <= FOTA_SCRIPT_STRING_MAX, 1, "is too long");
    luaL_argcheck(L, n <= FOTA_SCRIPT_STRING_MAX, 2, "is too long");
    fota_script_charge(L, n * (m + 1));

    lua_pushboolean(L, fota_str_match(fota_slice(pattern, m),
                                      fota_slice(s, n)));
    return 1;
}


static int
fota_script_starts(lua_State *L)
{
    size_t       n, m;
    const char  *s, *prefix;

    s = luaL_checklstring(L, 1, &n);
    prefix = luaL_checklstring(L, 2, &m);

    lua_pushboolean(L, m <= n && memcmp(s, prefix, m) == 0);
    return 1;
}


static int
fota_script_ends(lua_State *L)
{
    size_t       n, m;
    const char  *s, *suffix;

    s = luaL_checklstring(L, 1, &n);
    suffix = luaL_checklstring(L, 2, &m);

    lua_pushboolean(L, m <= n && memcmp(s + n - m, suffix, m) == 0);
    return 1;
}


static int
fota_script_compare(lua_State *L)
{
    size_t       n, m;
    const char  *a, *b;

    a = luaL_checklstring(L, 1, &n);
    b = luaL_checklstring(L, 2, &m);

    luaL_argcheck(L, n <= FOTA_VERSION_MAX, 1, "is too long");
    luaL_argcheck(L, m <= FOTA_VERSION_MAX, 2, "is too long");
    fota_script_charge(L, n + m);

    lua_pushinteger(L, fota_version_order(fota_slice(a, n),
                                          fota_slice(b, m)));
    return 1;
}


static int
fota_script_bucket(lua_State *L)
{
    size_t         n;
    const char    *id;
    lua_Integer    salt;

    salt = luaL_checkinteger(L, 1);
    id = luaL_checklstring(L, 2, &n);

    luaL_argcheck(L, n <= FOTA_SCRIPT_STRING_MAX, 2, "is too long");
    fota_script_charge(L, n);

    lua_pushinteger(L, fota_stage_bucket((uint64_t) salt,
                                         fota_slice(id, n)));
    return 1;
}


static const luaL_Reg  fota_script_functions[] = {
    { "find", fota_script_find },
    { "glob", fota_script_glob },
    { "starts_with", fota_script_starts },
    { "ends_with", fota_script_ends },
    { "version_compare", fota_script_compare },
    { "bucket", fota_script_bucket },
    { NULL, NULL }
};

/* What stays of Lua's own; all of it is bounded by its arguments. */

static const char  *const fota_script_base[] = {
    "assert", "error", "ipairs", "next", "pairs", "pcall", "select",
    "tonumber", "tostring", "type", "xpcall", NULL
};

static const char  *const fota_script_string[] = {
    "byte", "char", "len", "lower", "sub", "upper", NULL
};

static const char  *const fota_script_math[] = {
    "abs", "ceil", "floor", "fmod", "huge", "max", "min", "modf", "pi",
    "pow", "sqrt", NULL
};

static const char  *const fota_script_bit[] = {
    "arshift", "band", "bnot", "bor", "bxor", "lshift", "rshift", "tobit",
    NULL
};


static int
fota_script_readonly(lua_State *L)
{
    return luaL_error(L, "\"%s\" cannot be set: globals and libraries are "
                      "read-only, use local",
                      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
                                                    : "?");
}


/* Table at the top of the stack becomes an empty one that shows it. */

static void
fota_script_seal(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, fota_script_readonly);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}


/* Table of the named members of the table at index from. */

static void
fota_script_pick(lua_State *L, int from, const char *const *names)
{
    lua_newtable(L);

    for ( /* void */ ; *names != NULL; names++) {
        lua_getfield(L, from, *names);
        lua_setfield(L, -2, *names);
    }
}


static void
fota_script_library(lua_State *L, lua_CFunction open, const char *name,
    const char *const *names)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);

    lua_getglobal(L, name);
    fota_script_pick(L, lua_gettop(L), names);
    lua_remove(L, -2);
}


static void
fota_script_sandbox(lua_State *L)
{
    int  env;

    lua_pushcfunction(L, luaopen_base);
    lua_pushliteral(L, "");
    lua_call(L, 1, 0);

    fota_script_pick(L, LUA_GLOBALSINDEX, fota_script_base);
    env = lua_gettop(L);

    fota_script_library(L, luaopen_string, LUA_STRLIBNAME,
                        fota_script_string);
    lua_pushcfunction(L, fota_script_find);
    lua_setfield(L, -2, "find");

    /* ("x"):sub() must find the same few functions. */
    lua_pushliteral(L, "");
    if (lua_getmetatable(L, -1)) {
        lua_pushvalue(L, -3);
        lua_setfield(L, -2, "__index");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_pop(L, 1);
    }

    lua_pop(L, 1);
    fota_script_seal(L);
    lua_setfield(L, env, "string");

    fota_script_library(L, luaopen_math, LUA_MATHLIBNAME, fota_script_math);
    fota_script_seal(L);
    lua_setfield(L, env, "math");

    fota_script_library(L, luaopen_bit, LUA_BITLIBNAME, fota_script_bit);
    fota_script_seal(L);
    lua_setfield(L, env, "bit");
}


static void
fota_script_helpers(lua_State *L, int env)
{
    const luaL_Reg  *f;

    lua_newtable(L);

    for (f = fota_script_functions; f->name != NULL; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }

    fota_script_seal(L);
    lua_setfield(L, env, "fota");
}


void
fota_script_environment(lua_State *L, bool trusted)
{
    if (trusted) {
        luaL_openlibs(L);
        lua_pushvalue(L, LUA_GLOBALSINDEX);
        fota_script_helpers(L, lua_gettop(L));
        return;
    }

    fota_script_sandbox(L);
    fota_script_helpers(L, lua_gettop(L));
    fota_script_seal(L);
}
