/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/* What all programs of one release, and the module, say they are. */

#ifndef FOTA_RELEASE_H
#define FOTA_RELEASE_H


#define FOTA_RELEASE  "1.0.0"


#endif /* FOTA_RELEASE_H */
