/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Linked into nginx of "make asan".  nginx leaves the pools of its
 * configuration to the system when it ends, so it cannot be asked for leaks;
 * our own programs can, and share ASAN_OPTIONS with it.
 */


const char *__asan_default_options(void);


const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}
