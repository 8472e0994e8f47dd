/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A file that somebody cuts short, or that lies about itself, costs whoever
 * reads it through a map his process.  Within a guard it costs the call.
 */

#ifndef FOTA_STORE_GUARD_H
#define FOTA_STORE_GUARD_H


/*
 * Returns run(data), or fault when it touched memory that is not there.  What
 * it had allocated is lost then, and what it had locked stays so: for reading
 * alone.  Guards may be nested, and belong to their thread.
 */
int fota_store_guard(int (*run)(void *data), void *data, int fault);

/* Ends the guard like a fault; returns where there is none. */
void fota_store_guard_leave(void);


#endif /* FOTA_STORE_GUARD_H */
