/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Version strings of every vendor in one total order.
 *
 * A version is cut into runs of digits and runs of letters (bytes above 127
 * are letters); everything else separates.  A leading "v" or "V" before a
 * digit is dropped, and so is "+" with all that follows ("build" of semver).
 * Numbers compare as numbers of any length, letters as bytes without case.
 *
 * Neighbouring numbers compare first; missing ones count as zero: "1.0.1" is
 * above "1.0", "V0.9_20260101" above "V0.9", "1.0" equals "1.0.0".  Then
 * letters decide: letters after '-' or '~' are a pre-release, below the end
 * of the string ("1.0-rc1" below "1.0"), other letters are above it ("1.0a"
 * above "1.0", below "1.0.1").  Equal letters are followed by numbers again.
 * Inside a pre-release semver 11 holds: end, then numbers, then letters
 * ("rc" below "rc.1" below "rc.b").
 */

#ifndef FOTA_VERSION_H
#define FOTA_VERSION_H


#include "fota_str.h"
#include "fota_status.h"


/* < 0, 0, > 0; 0 only for identical bytes.  Any bytes are accepted. */
int fota_version_cmp(fota_str_t a, fota_str_t b);

/* As above without the last resort of bytes: "1.0" and "1.0.0" give 0. */
int fota_version_order(fota_str_t a, fota_str_t b);

#define FOTA_VERSION_KEY_MAX  512

/*
 * Bytes whose memcmp() order (shorter first on a common prefix) is
 * fota_version_order(); kept as a column by the centre so that SQL compares
 * versions as the edge does.  Returns the length, at most
 * FOTA_VERSION_KEY_MAX, for versions that fota_version_check() accepts.
 */
size_t fota_version_key(uint8_t *out, fota_str_t v);

/*
 * What the centre and the device API accept: 1..FOTA_VERSION_MAX bytes of
 * printable ASCII or UTF-8 without blanks, quotes, control characters, at
 * least one letter or digit.  FOTA_OK, FOTA_INVALID or FOTA_LIMIT.
 */
int fota_version_check(fota_str_t v);


#endif /* FOTA_VERSION_H */
