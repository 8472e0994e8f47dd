/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/* Inside of fota_answer*.c. */

#ifndef FOTA_ANSWER_WRITE_H
#define FOTA_ANSWER_WRITE_H

#include "fota_answer.h"

/* The members of a check's answer into an object that is open. */
void fota_answer_decision(fota_jw_t *w, const fota_answer_t *a);

#endif /* FOTA_ANSWER_WRITE_H */
