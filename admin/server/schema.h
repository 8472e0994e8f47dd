/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Forward migrations of the database, taken into the binary by the build
 * from admin/schema/NNN_name.sql in the order of NNN.
 */

#ifndef FOTA_SCHEMA_H
#define FOTA_SCHEMA_H


#include <stddef.h>


typedef struct {
    unsigned     number;        /* NNN of the file name, rising */
    const char  *name;          /* file name without ".sql" */
    const char  *sql;           /* the whole text of the file */
} fota_schema_step_t;


extern const fota_schema_step_t  fota_schema_steps[];
extern const size_t              fota_schema_nsteps;


#endif /* FOTA_SCHEMA_H */
