/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Values of options and arguments as JSON, by the types of a field.  Pure:
 * why a value is refused is returned as text.
 */

#ifndef FOTA_CLI_FIELD_H
#define FOTA_CLI_FIELD_H


#include <jansson.h>

#include "fota_buf.h"


/*
 * A stage of a rollout: "5", "test", "10,success=95,error=2,min=50,soak=1h,
 * group=lab,manual".  NULL with text in err.
 */
json_t *fota_cli_field_stage(const char *value, char *err, size_t errlen);

/*
 * Sets the member that field names, "a.b" inside another object; 'l' and 'm'
 * add to what is there.  FOTA_OK, FOTA_INVALID with text in err.
 */
int fota_cli_field_set(json_t *body, const char *field, const char *value,
    int64_t now_ms, char *err, size_t errlen);

/*
 * "2026-01-31T22:00:00Z", "2026-01-31 22:00", "2026-01-31", Unix seconds,
 * "+90m" or "now", all UTC.  Seconds since 1970; FOTA_INVALID.
 */
int fota_cli_field_time(const char *value, int64_t now_ms, int64_t *out);


#endif /* FOTA_CLI_FIELD_H */
