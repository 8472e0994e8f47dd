# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
