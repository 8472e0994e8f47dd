/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

#include "fota_script_lua.h"


#define FOTA_SCRIPT_DEFER_MAX  604800   /* s, a week */


/* What the script sees: made when it looks, so that an empty hook is free. */

static void
fota_script_set(lua_State *L, const char *name, fota_str_t v)
{
    if (v.data != NULL) {
        lua_pushlstring(L, (const char *) v.data, v.len);
        lua_setfield(L, -2, name);
    }
}


static void
fota_script_number(lua_State *L, const char *name, lua_Number v)
{
    lua_pushnumber(L, v);
    lua_setfield(L, -2, name);
}


static void
fota_script_attrs(lua_State *L, const fota_attr_t *a, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        lua_pushlstring(L, (const char *) a[i].name.data, a[i].name.len);
        lua_pushlstring(L, (const char *) a[i].value.data, a[i].value.len);
        lua_rawset(L, -3);
    }
}


static void
fota_script_push_device(lua_State *L, const fota_script_input_t *in)
{
    size_t               i;
    const fota_facts_t  *f = in->facts;

    lua_newtable(L);
    fota_script_set(L, "id", f->id);
    fota_script_set(L, "product", f->product);
    fota_script_set(L, "version", f->version);
    fota_script_set(L, "kind", f->kind);

    lua_newtable(L);
    fota_script_attrs(L, f->attrs, f->nattrs);
    fota_script_attrs(L, f->set_attrs, f->nset_attrs);
    lua_setfield(L, -2, "attrs");

    lua_newtable(L);

    for (i = 0; i < f->ngroups; i++) {
        lua_pushboolean(L, 1);
        lua_rawseti(L, -2, (int) f->groups[i]);
    }

    lua_setfield(L, -2, "groups");
}


static void
fota_script_push_geo(lua_State *L, const fota_script_input_t *in)
{
    const fota_location_t  *loc;

    loc = in->facts->locate(in->facts);

    lua_newtable(L);
    lua_pushboolean(L, loc->source != FOTA_GEO_NONE);
    lua_setfield(L, -2, "known");
    fota_script_set(L, "country", fota_cstr(loc->country));
    fota_script_set(L, "continent", fota_cstr(loc->continent));
    fota_script_set(L, "region", fota_cstr(loc->region));
    fota_script_set(L, "region_code", fota_cstr(loc->region_code));
    fota_script_set(L, "city", fota_cstr(loc->city));
    fota_script_set(L, "tz", fota_cstr(loc->tz));
    fota_script_number(L, "asn", loc->asn);
}


static void
fota_script_push_decision(lua_State *L, const fota_script_input_t *in)
{
    const fota_decision_t  *d = in->decision;

    lua_newtable(L);
    lua_pushstring(L, fota_reason_name(d->reason));
    lua_setfield(L, -2, "reason");
    fota_script_number(L, "poll", d->poll);

    if (d->rollout != NULL) {
        fota_script_number(L, "rollout", d->rollout->id);
        fota_script_set(L, "rollout_name", d->rollout->name);
        fota_script_number(L, "rate_class", d->rollout->rate_class);
    }

    if (d->target != NULL) {
        fota_script_set(L, "target", d->target->version);
    }

    if (d->reason == FOTA_R_OFFER && d->path.artifact != NULL) {
        fota_script_number(L, "size", (lua_Number) d->path.artifact->size);
        lua_pushboolean(L, d->path.artifact->from != FOTA_NONE);
        lua_setfield(L, -2, "delta");
    }
}


static void
fota_script_push_local(lua_State *L, const fota_script_input_t *in)
{
    int32_t       offset;
    fota_civil_t  c;

    offset = (in->offset != NULL) ? in->offset(in) : in->utc_offset;

    fota_civil(in->now, offset, &c);

    lua_newtable(L);
    fota_script_number(L, "year", c.year);
    fota_script_number(L, "month", c.month);
    fota_script_number(L, "day", c.day);
    fota_script_number(L, "hour", c.second / 3600);
    fota_script_number(L, "minute", c.second / 60 % 60);
    fota_script_number(L, "weekday", c.weekday + 1);
}


int
fota_script_index(lua_State *L)
{
    size_t          len;
    fota_str_t      k;
    const char     *key;
    fota_script_t  *s = fota_script_of(L);

    if (s->in == NULL || lua_type(L, 2) != LUA_TSTRING) {
        lua_pushnil(L);
        return 1;
    }

    key = lua_tolstring(L, 2, &len);
    k = fota_slice(key, len);

    if (fota_str_eq(k, fota_cstr("device"))) {
        fota_script_push_device(L, s->in);

    } else if (fota_str_eq(k, fota_cstr("geo"))) {
        fota_script_push_geo(L, s->in);

    } else if (fota_str_eq(k, fota_cstr("decision"))) {
        fota_script_push_decision(L, s->in);

    } else if (fota_str_eq(k, fota_cstr("local_time"))) {
        fota_script_push_local(L, s->in);

    } else if (fota_str_eq(k, fota_cstr("now"))) {
        lua_pushnumber(L, (lua_Number) s->in->now);

    } else if (fota_str_eq(k, fota_cstr("tenant"))) {
        lua_pushlstring(L, (const char *) s->in->tenant.data,
                        s->in->tenant.len);
    } else {
        lua_pushnil(L);
        return 1;
    }

    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);

    return 1;
}


/* Reading what the script returned; raw, so that no metamethod runs. */

static bool
fota_script_field(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, 2);

    return !lua_isnil(L, -1);
}


static lua_Integer
fota_script_integer(lua_State *L, const char *name, lua_Integer min,
    lua_Integer max)
{
    lua_Number  v;

    v = lua_tonumber(L, -1);

    if (lua_type(L, -1) != LUA_TNUMBER || !(v >= min && v <= max)
        || v != (lua_Number) (lua_Integer) v)
    {
        luaL_error(L, "field \"%s\" of the result must be a whole number "
                   "from %d to %d", name, (int) min, (int) max);
    }

    return (lua_Integer) v;
}


static fota_str_t
fota_script_text(lua_State *L, int i, const char *name, size_t max)
{
    size_t          len;
    fota_str_t      v;
    const char     *p;
    fota_script_t  *s = fota_script_of(L);

    p = lua_tolstring(L, i, &len);

    if (len > max || !fota_str_utf8(fota_slice(p, len))) {
        luaL_error(L, "field \"%s\" of the result must be UTF-8 of at most "
                   "%d bytes", name, (int) max);
    }

    v = fota_strdup(s->mem, fota_slice(p, len));
    if (v.data == NULL) {
        luaL_error(L, "no memory");
    }

    return v;
}


static void
fota_script_fields(lua_State *L, fota_script_result_t *out)
{
    fota_attr_t  *f;

    if (!lua_istable(L, -1)) {
        luaL_error(L, "field \"fields\" of the result must be a table");
    }

    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {

        if (out->nfields == FOTA_HOOK_FIELDS_MAX) {
            luaL_error(L, "field \"fields\" of the result has more than %d "
                       "members", FOTA_HOOK_FIELDS_MAX);
        }

        if (lua_type(L, -2) != LUA_TSTRING
            || (lua_type(L, -1) != LUA_TSTRING
                && lua_type(L, -1) != LUA_TNUMBER
                && lua_type(L, -1) != LUA_TBOOLEAN))
        {
            luaL_error(L, "field \"fields\" of the result must hold strings, "
                       "numbers and booleans under string names");
        }

        f = &out->fields[out->nfields];
        f->name = fota_script_text(L, -2, "fields", FOTA_ATTR_NAME_MAX);

        if (lua_type(L, -1) == LUA_TBOOLEAN) {
            f->value = lua_toboolean(L, -1) ? fota_cstr("true")
                                            : fota_cstr("false");
        } else {
            f->value = fota_script_text(L, -1, "fields", FOTA_ATTR_VALUE_MAX);
        }

        out->nfields++;
    }
}


void
fota_script_result(lua_State *L, fota_script_result_t *out)
{
    fota_str_t  action;

    if (lua_isnil(L, 2)) {
        return;
    }

    if (!lua_istable(L, 2)) {
        luaL_error(L, "the hook must return nil or a table, not a %s",
                   luaL_typename(L, 2));
    }

    if (fota_script_field(L, "action")) {
        action = lua_type(L, -1) == LUA_TSTRING
                 ? fota_cstr(lua_tostring(L, -1)) : fota_cstr("");

        if (fota_str_eq(action, fota_cstr("deny"))) {
            out->action = FOTA_HOOK_DENY;

        } else if (fota_str_eq(action, fota_cstr("defer"))) {
            out->action = FOTA_HOOK_DEFER;

        } else if (!fota_str_eq(action, fota_cstr("keep"))) {
            luaL_error(L, "field \"action\" of the result must be \"keep\", "
                       "\"deny\" or \"defer\"");
        }
    }

    if (fota_script_field(L, "after")) {
        out->defer = (uint32_t) fota_script_integer(L, "after", 1,
                                                    FOTA_SCRIPT_DEFER_MAX);

    } else if (out->action == FOTA_HOOK_DEFER) {
        luaL_error(L, "\"defer\" needs the field \"after\", in seconds");
    }

    if (fota_script_field(L, "pool")) {
        out->pool = (uint16_t) fota_script_integer(L, "pool", 0, 65535);
    }

    if (fota_script_field(L, "rate_class")) {
        out->rate_class = (int16_t) fota_script_integer(L, "rate_class", 0,
                                                        255);
    }

    if (fota_script_field(L, "message")) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            luaL_error(L, "field \"message\" of the result must be a string");
        }

        out->message = fota_script_text(L, -1, "message", 256);
    }

    if (fota_script_field(L, "fields")) {
        fota_script_fields(L, out);
    }
}
