/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Counters: X(enum, metric, labels, help).  Those of one metric stand
 * together, the first with its help.  Included several times.
 */

X(CHECK_400, "fota_check_errors_total", "status=\"400\"",
  "Checks and reports that were refused")
X(CHECK_401, "fota_check_errors_total", "status=\"401\"", NULL)
X(CHECK_403, "fota_check_errors_total", "status=\"403\"", NULL)
X(CHECK_404, "fota_check_errors_total", "status=\"404\"", NULL)
X(CHECK_413, "fota_check_errors_total", "status=\"413\"", NULL)
X(CHECK_503, "fota_check_errors_total", "status=\"503\"", NULL)
X(CHECK_OTHER, "fota_check_errors_total", "status=\"other\"", NULL)

X(TOKEN_OK, "fota_tokens_total", "result=\"ok\"",
  "Download tokens looked at")
X(TOKEN_MISSING, "fota_tokens_total", "result=\"missing\"", NULL)
X(TOKEN_MALFORMED, "fota_tokens_total", "result=\"malformed\"", NULL)
X(TOKEN_UNKNOWN_KID, "fota_tokens_total", "result=\"unknown_kid\"", NULL)
X(TOKEN_MAC, "fota_tokens_total", "result=\"mac\"", NULL)
X(TOKEN_SCOPE, "fota_tokens_total", "result=\"scope\"", NULL)
X(TOKEN_IP, "fota_tokens_total", "result=\"ip\"", NULL)
X(TOKEN_CERT, "fota_tokens_total", "result=\"cert\"", NULL)
X(TOKEN_EXPIRED, "fota_tokens_total", "result=\"expired\"", NULL)
X(TOKEN_REVOKED, "fota_tokens_total", "result=\"revoked\"", NULL)
X(TOKEN_USED, "fota_tokens_total", "result=\"used\"", NULL)
X(TOKEN_MINTED, "fota_tokens_minted_total", NULL, "Download tokens made")

X(RANGE_200, "fota_ranges_total", "status=\"200\"",
  "Answers to downloads")
X(RANGE_206, "fota_ranges_total", "status=\"206\"", NULL)
X(RANGE_304, "fota_ranges_total", "status=\"304\"", NULL)
X(RANGE_404, "fota_ranges_total", "status=\"404\"", NULL)
X(RANGE_412, "fota_ranges_total", "status=\"412\"", NULL)
X(RANGE_416, "fota_ranges_total", "status=\"416\"", NULL)
X(RANGE_OTHER, "fota_ranges_total", "status=\"other\"", NULL)
X(TRANSFERS_CUT, "fota_transfers_cut_total", NULL,
  "Running downloads ended by a brake or a revocation")

X(GEO_DB, "fota_geo_lookups_total", "result=\"db\"",
  "Look-ups of locations")
X(GEO_PREFIX, "fota_geo_lookups_total", "result=\"prefix\"", NULL)
X(GEO_UNKNOWN, "fota_geo_lookups_total", "result=\"unknown\"", NULL)
X(GEO_RELOADS, "fota_geo_reloads_total", NULL,
  "Times the location database was opened anew")

X(LUA_CALLS, "fota_lua_calls_total", NULL, "Calls of the policy hook")
X(LUA_ERRORS, "fota_lua_errors_total", NULL,
  "Calls of the policy hook that failed")
X(LUA_DENIED, "fota_lua_denied_total", NULL,
  "Offers the policy hook withheld")

X(REPORTS_OK, "fota_reports_total", "result=\"accepted\"",
  "Reports of devices")
X(REPORTS_MERGED, "fota_reports_total", "result=\"merged\"", NULL)
X(REPORTS_BUSY, "fota_reports_total", "result=\"busy\"", NULL)
X(REPORTS_FULL, "fota_reports_total", "result=\"full\"", NULL)
X(REPORTS_LOST, "fota_reports_total", "result=\"io_error\"", NULL)
X(SPOOL_NOTES, "fota_spool_notes_total", "result=\"written\"",
  "Seen and byte records, which may be lost")
X(SPOOL_NOTES_LOST, "fota_spool_notes_total", "result=\"dropped\"", NULL)
X(SPOOL_COMMITS, "fota_spool_commits_total", NULL,
  "Group commits to the spool")
X(SPOOL_ERRORS, "fota_spool_errors_total", NULL,
  "Writes to the spool that failed")
