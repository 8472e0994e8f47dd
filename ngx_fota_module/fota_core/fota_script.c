/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "fota_script_lua.h"


#define FOTA_SCRIPT_INSTRUCTIONS  100000
#define FOTA_SCRIPT_MEMORY        (4 * 1024 * 1024)
#define FOTA_SCRIPT_MEMORY_MIN    (256 * 1024)
#define FOTA_SCRIPT_FAILURES_MAX  3         /* then the state is made anew */


static int fota_script_open(fota_script_t *s, char *err, size_t errlen);


const char *
fota_script_conflict(void)
{
    Dl_info  a, b;

    /*
     * nginx loads modules RTLD_GLOBAL: another Lua that came first would
     * give us its lua_newstate beside LuaJIT's own functions.
     */
    if (dladdr((void *) (uintptr_t) lua_newstate, &a) == 0
        || dladdr((void *) (uintptr_t) luaJIT_setmode, &b) == 0
        || a.dli_fbase != b.dli_fbase)
    {
        return "another Lua library was loaded into this process before "
               "LuaJIT; load ngx_http_fota_module before it, or remove it";
    }

    return NULL;
}


/* The budget. */

static void
fota_script_hook(lua_State *L, lua_Debug *ar)
{
    fota_script_t  *s = fota_script_of(L);

    if (!s->limits.spent) {
        s->limits.fuel -= FOTA_SCRIPT_STEP;

        if (s->limits.fuel > 0) {
            return;
        }
    }

    /* From now on at every instruction, so that pcall cannot go on. */
    s->limits.spent = 1;
    lua_sethook(L, fota_script_hook, LUA_MASKCOUNT, 1);

    /* luaL_error() would name the caller of the function that was stopped. */
    lua_getinfo(L, "Sl", ar);
    lua_pushfstring(L, "%s:%d: instruction budget of %d is used up",
                    ar->source + (ar->source[0] == '@'), ar->currentline,
                    (int) s->opt.instructions);
    lua_error(L);
}


/* Compiling and making a state. */

static void
fota_script_error(lua_State *L, char *err, size_t errlen)
{
    const char  *text;

    if (errlen == 0) {
        return;
    }

    /* Only a string: anything else would call metamethods or allocate. */
    text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                          : "error object is not a string";
    (void) snprintf(err, errlen, "%s", text);
}


static int
fota_script_boot(lua_State *L)
{
    int             env;
    fota_script_t  *s = lua_touserdata(L, 1);

    lua_settop(L, 0);

    if (!s->opt.trusted) {
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    }

    fota_script_environment(L, s->opt.trusted);
    env = lua_gettop(L);

    if (s->length != 0 && s->source[0] == LUA_SIGNATURE[0]) {
        return luaL_error(L, "%s:1: is bytecode, only text is loaded",
                          s->name + 1);
    }

    if (luaL_loadbufferx(L, s->source, s->length, s->name, "t") != 0) {
        return lua_error(L);
    }

    lua_pushvalue(L, env);
    lua_setfenv(L, -2);

    if (s->function == LUA_NOREF) {
        /* Compiling was all that was asked. */
        return 0;
    }

    if (!s->opt.trusted) {
        lua_sethook(L, fota_script_hook, LUA_MASKCOUNT, FOTA_SCRIPT_STEP);
    }

    lua_call(L, 0, 1);

    if (lua_type(L, -1) != LUA_TFUNCTION) {
        return luaL_error(L, "%s: the script must return a function",
                          s->name + 1);
    }

    s->function = luaL_ref(L, LUA_REGISTRYINDEX);

    lua_newtable(L);
    lua_pushcfunction(L, fota_script_index);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    s->meta = luaL_ref(L, LUA_REGISTRYINDEX);

    return 0;
}


static int
fota_script_open(fota_script_t *s, char *err, size_t errlen)
{
    int  rc;

    memset(&s->limits, 0, sizeof(s->limits));
    s->limits.cap = s->opt.memory;
    s->limits.fuel = s->opt.instructions;
    s->limits.trusted = s->opt.trusted;
    s->failures = 0;

    s->lua = lua_newstate(fota_script_alloc, s);
    if (s->lua == NULL) {
        (void) snprintf(err, errlen, "no memory for a Lua state");
        return FOTA_NOMEM;
    }

    rc = lua_cpcall(s->lua, fota_script_boot, s);
    if (rc != 0) {
        fota_script_error(s->lua, err, errlen);
        lua_close(s->lua);
        s->lua = NULL;
        return s->limits.spent || rc == LUA_ERRMEM ? FOTA_LIMIT
                                                   : FOTA_INVALID;
    }

    return FOTA_OK;
}


static fota_script_t *
fota_script_new(fota_str_t source, const char *name,
    const fota_script_opt_t *opt)
{
    size_t          n;
    fota_script_t  *s;

    s = calloc(1, sizeof(fota_script_t));
    if (s == NULL) {
        return NULL;
    }

    n = strlen(name);
    s->source = malloc(source.len + 1);
    s->name = malloc(n + 2);

    if (s->source == NULL || s->name == NULL) {
        fota_script_destroy(s);
        return NULL;
    }

    if (source.len != 0) {
        memcpy(s->source, source.data, source.len);
    }

    s->length = source.len;
    s->name[0] = '@';
    memcpy(s->name + 1, name, n + 1);

    if (opt != NULL) {
        s->opt = *opt;
    }

    if (s->opt.instructions == 0) {
        s->opt.instructions = FOTA_SCRIPT_INSTRUCTIONS;
    }

    if (s->opt.memory == 0) {
        s->opt.memory = FOTA_SCRIPT_MEMORY;
    }

    if (s->opt.memory < FOTA_SCRIPT_MEMORY_MIN) {
        s->opt.memory = FOTA_SCRIPT_MEMORY_MIN;
    }

    return s;
}


int
fota_script_compile(fota_str_t source, const char *name, char *err,
    size_t errlen)
{
    int             rc;
    fota_script_t  *s;

    s = fota_script_new(source, name, NULL);
    if (s == NULL) {
        return FOTA_NOMEM;
    }

    s->function = LUA_NOREF;
    rc = fota_script_open(s, err, errlen);
    fota_script_destroy(s);

    return rc;
}


int
fota_script_create(fota_script_t **out, fota_str_t source, const char *name,
    const fota_script_opt_t *opt, char *err, size_t errlen)
{
    int             rc;
    fota_script_t  *s;

    *out = NULL;

    s = fota_script_new(source, name, opt);
    if (s == NULL) {
        return FOTA_NOMEM;
    }

    rc = fota_script_open(s, err, errlen);
    if (rc != FOTA_OK) {
        fota_script_destroy(s);
        return rc;
    }

    *out = s;

    return FOTA_OK;
}


void
fota_script_destroy(fota_script_t *s)
{
    if (s == NULL) {
        return;
    }

    if (s->lua != NULL) {
        lua_close(s->lua);
    }

    free(s->source);
    free(s->name);
    free(s);
}


static int
fota_script_run(lua_State *L)
{
    fota_script_t  *s = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, s->function);
    lua_newtable(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->meta);
    lua_setmetatable(L, -2);
    lua_call(L, 1, 1);

    fota_script_result(L, s->out);

    return 0;
}


int
fota_script_call(fota_script_t *s, fota_mem_t *mem,
    const fota_script_input_t *in, fota_script_result_t *out, char *err,
    size_t errlen)
{
    int  rc;

    memset(out, 0, sizeof(fota_script_result_t));
    out->rate_class = -1;

    if (s->lua == NULL && fota_script_open(s, err, errlen) != FOTA_OK) {
        return FOTA_LIMIT;
    }

    s->mem = mem;
    s->in = in;
    s->out = out;
    s->limits.fuel = s->opt.instructions;
    s->limits.spent = 0;
    s->limits.in_call = 1;

    if (!s->opt.trusted) {
        lua_sethook(s->lua, fota_script_hook, LUA_MASKCOUNT,
                    FOTA_SCRIPT_STEP);
    }

    rc = lua_cpcall(s->lua, fota_script_run, s);

    s->limits.in_call = 0;
    s->in = NULL;
    s->out = NULL;
    s->mem = NULL;

    if (rc == 0) {
        s->failures = 0;
        return FOTA_OK;
    }

    memset(out, 0, sizeof(fota_script_result_t));
    out->rate_class = -1;
    fota_script_error(s->lua, err, errlen);

    if (rc != LUA_ERRMEM && !s->limits.spent) {
        lua_settop(s->lua, 0);
        return FOTA_INVALID;
    }

    lua_settop(s->lua, 0);

    if (++s->failures >= FOTA_SCRIPT_FAILURES_MAX) {
        lua_close(s->lua);
        s->lua = NULL;

    } else {
        s->limits.spent = 0;
        lua_sethook(s->lua, NULL, 0, 0);
        (void) lua_gc(s->lua, LUA_GCCOLLECT, 0);
    }

    return FOTA_LIMIT;
}
