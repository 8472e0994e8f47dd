# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0

B ?= build

OUT := $(abspath $(B))
TOP := $(abspath .)

CC = gcc
CLANG ?= clang
CFLAGS ?= -O2 -g
PYTHON ?= /usr/bin/python3
PYTEST ?= $(PYTHON) -m pytest

# V=1 shows the commands.

Q = $(if $(V),,@)
say = @$(if $(V),:,printf '  %-7s %s\n' $(1) $(2))

WARNINGS = -W -Wall -Wextra -Wpointer-arith -Wno-unused-parameter -Werror

# SAN=1 is for the programs and unit tests; for nginx see asan-nginx.
# COV=1 adds gcov counters.  Give both their own B.

SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer

ifeq ($(SAN),1)
MODE += $(SANFLAGS) -O1
endif

ifeq ($(COV),1)
MODE += --coverage -O0
endif

ifeq ($(MODE),)
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2
HARDEN_LD = -Wl,-z,relro -Wl,-z,now
MODE = $(HARDEN)
endif

CORE = ngx_fota_module/fota_core
GLUE = ngx_fota_module/ngx_http_fota
AGENT = ngx_fota_module/fota_agent
SERVER = admin/server
CLI = admin/cli

pkg = $(shell pkg-config --$(1) $(2) 2>/dev/null)

INCLUDES = -I$(CORE) -I$(AGENT) -I$(SERVER) -I$(CLI) \
	$(call pkg,cflags,luajit libmariadb)

# nginx wants core as position independent code, and hidden nothing: the
# prefix of every symbol is checked by lint instead.

BASEFLAGS = -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) -fPIC \
	-fvisibility=default $(MODE) $(INCLUDES) $(EXTRA_CFLAGS)

LINK = $(CC) $(CFLAGS) $(MODE) $(HARDEN_LD) -pie -Wl,--as-needed

# For programs without Lua or LMDB of their own --as-needed drops the rest.

CORE_LIBS = -llmdb -lmaxminddb -lcrypto $(call pkg,libs,luajit) -lm -ldl \
	-lpthread

AGENT_LIBS = -lcurl -ljansson $(CORE_LIBS)
SERVER_LIBS = -lmicrohttpd $(call pkg,libs,libmariadb) -ljansson -lsodium \
	-lcurl -lssl $(CORE_LIBS)
CLI_LIBS = -lcurl -ljansson $(CORE_LIBS)
UNIT_LIBS = -lcmocka $(SERVER_LIBS)

# SKIP='%/fota_x.c' leaves files out, for work on a part while another one
# does not compile.

src = $(filter-out $(SKIP),$(sort $(wildcard $(1)/*.c)))
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

CORE_SRC := $(call src,$(CORE))
GLUE_SRC := $(call src,$(GLUE))
AGENT_SRC := $(call src,$(AGENT))
SERVER_SRC := $(call src,$(SERVER))
CLI_SRC := $(call src,$(CLI))
SCHEMA_SQL := $(sort $(wildcard admin/schema/*.sql))

UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,\
	$(sort $(wildcard tests/unit/test_*.c)))
UNIT_SUPPORT := $(call obj,$(call src,tests/unit))
UNIT_SUPPORT := $(filter $(B)/obj/tests/unit/support_%,$(UNIT_SUPPORT))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,\
	$(sort $(wildcard tests/fuzz/fuzz_*.c)))

# A folder is a program as soon as one of its files has main().

program = $(if $(1),$(if $(shell grep -lw '^main' $(1)),$(2),$(call obj,$(1))))

PROGRAMS := $(if $(CORE_SRC),$(B)/libfotacore.a) \
	$(call program,$(AGENT_SRC),$(B)/fota-agent) \
	$(call program,$(SERVER_SRC),$(B)/fota-admin) \
	$(call program,$(CLI_SRC),$(B)/fota)

MODULE := $(if $(GLUE_SRC),$(B)/module/ngx_http_fota_module.so)


.PHONY: all deps build programs module unit units props tools replay lint \
	e2e test asan asan-nginx asan-build fuzz fuzzers bench run stop clean-run clean \
	coverage FORCE

.DEFAULT_GOAL = build
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

all: build

deps:
	@conf/dev/deps.sh

# Packages come before anything is compiled, without being a prerequisite of
# every object: the sub-make starts when they are there.

build: deps
	@$(MAKE) --no-print-directory programs module

programs: $(PROGRAMS)
	@:

module: $(MODULE)
	@:


# Compiling.  The stamps hold what no time of a file tells: that flags have
# changed, or that a file is gone.

stamp = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@

$(B)/flags: FORCE
	$(call stamp,$(CC) $(BASEFLAGS))

$(B)/core: FORCE
	$(call stamp,$(CORE_SRC))

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASEFLAGS) -MMD -MP -c -o $@ $<

$(B)/libfotacore.a: $(call obj,$(CORE_SRC)) $(B)/core
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(B)/fota-agent: $(call obj,$(AGENT_SRC)) $(B)/libfotacore.a
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(AGENT_LIBS)

$(B)/fota-admin: $(call obj,$(SERVER_SRC)) $(B)/obj/schema_data.o \
		$(B)/libfotacore.a
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(SERVER_LIBS)

$(B)/fota: $(call obj,$(CLI_SRC)) $(B)/libfotacore.a
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(CLI_LIBS)

$(B)/schema_data.c: $(SCHEMA_SQL) conf/dev/schema.sh
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)conf/dev/schema.sh $(SCHEMA_SQL) > $@

# Texts of SQL are longer than the 4095 characters ISO C promises.

$(B)/obj/schema_data.o: $(B)/schema_data.c $(SERVER)/schema.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASEFLAGS) -Wno-overlength-strings -c -o $@ $<


# Unit tests.  "/* objects: admin/server/x.c */" in a test names what it is
# linked with beside core; schema_data.c there is the table of migrations.

define unit_rule
$(B)/unit/$(1): $(B)/obj/tests/unit/$(1).o \
	$(patsubst %.c,$(B)/obj/%.o,$(2)) $(UNIT_SUPPORT) $(B)/libfotacore.a
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$^ $$(UNIT_LIBS)
endef

unit_objects = $(shell sed -n 's,.*/\* objects: \(.*\) \*/.*,\1,p' $(1))

$(foreach t,$(notdir $(UNIT)),$(eval $(call unit_rule,$(t),\
	$(call unit_objects,tests/unit/$(t).c))))

units: $(UNIT)
	@:

unit: deps
	@$(MAKE) --no-print-directory units
	@n=0; failed=; for t in $(UNIT); do \
		n=$$((n + 1)); \
		out=$$(FOTA_BUILD=$(OUT) FOTA_TOP=$(TOP) $$t 2>&1) || { \
			echo "$$out"; failed="$$failed $$(basename $$t)"; }; \
	done; \
	test -z "$$failed" || { echo "unit: FAILED:$$failed"; exit 1; }; \
	echo "unit: $$n programs passed"
	@$(MAKE) --no-print-directory replay


# Property tests: programs that a test of tests/e2e runs against a server.
# They name what they are linked with as unit tests do.

PROP_SRC := $(sort $(wildcard tests/prop/*_prop.c))
PROPS := $(patsubst tests/prop/%.c,$(B)/tests/%,$(PROP_SRC))
PROP_SUPPORT := $(call obj,$(sort $(wildcard tests/prop/support_*.c)))

$(foreach p,$(PROP_SRC),$(eval $(B)/tests/$(notdir $(basename $p)): \
	$(call obj,$(call unit_objects,$p))))

$(B)/tests/%: $(B)/obj/tests/prop/%.o $(PROP_SUPPORT) $(B)/libfotacore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(UNIT_LIBS)

props: $(PROPS)
	@:


# Tools of the tests: the files with main(); they share the others.

TOOL_SRC := $(sort $(wildcard tests/tools/*.c))
TOOL_MAIN := $(shell grep -lw '^main' $(TOOL_SRC) /dev/null)
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/%,$(TOOL_MAIN))
TOOL_SUPPORT := $(call obj,$(filter-out $(TOOL_MAIN),$(TOOL_SRC)))

$(TOOLS): $(B)/tests/%: $(B)/obj/tests/tools/%.o $(TOOL_SUPPORT) \
		$(B)/libfotacore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(CLI_LIBS)

tools: $(TOOLS)
	@:


# Fuzz targets over the inputs that are kept, without a fuzzer.

REPLAYS := $(patsubst tests/fuzz/%.c,$(B)/replay/%,\
	$(sort $(wildcard tests/fuzz/fuzz_*.c)))

# Written for clang, which knows that an empty array is not read.

$(B)/obj/tests/fuzz/%.o: private EXTRA_CFLAGS += -Wno-maybe-uninitialized

$(B)/replay/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o \
		$(B)/libfotacore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(UNIT_LIBS)

replay: $(REPLAYS)
	@for f in $(REPLAYS); do \
		n=$$(basename $$f); seed=tests/fuzz/corpus/$$n; \
		test -d $$seed || seed=tests/fuzz/corpus/$${n#fuzz_}; \
		test -d $$seed || seed=; \
		out=$$($$f $$seed 2>&1) || { \
			echo "$$out" | tail -n 30; \
			echo "replay: $$n FAILED"; exit 1; }; \
	done; \
	echo "replay: $(words $(REPLAYS)) fuzz targets passed"


# nginx module for the distribution's nginx.  configure runs again only when
# its input changes: the addon file or the list of sources.

NGINX_SRC := $(CORE_SRC) $(GLUE_SRC) \
	$(sort $(wildcard $(CORE)/*.h $(GLUE)/*.h))

$(B)/nginx-src/configure: /usr/share/nginx/src/configure \
		/usr/share/nginx/src/conf_flags
	@mkdir -p $(B)
	@rm -rf $(B)/nginx-src
	$(call say,COPY,$(B)/nginx-src)
	$(Q)cp -rL --preserve=mode,timestamps /usr/share/nginx/src $(B)/nginx-src
	@touch $@

$(B)/module/sources: FORCE
	$(call stamp,$(NGINX_SRC))

$(B)/module/Makefile: $(B)/nginx-src/configure config $(B)/module/sources
	$(call say,CONF,$(B)/module)
	$(Q)cd $(B)/nginx-src && bash -c '. ./conf_flags && ./configure \
		--with-cc="$(CC)" --with-cc-opt="-O2 -g -fPIC $(HARDEN)" \
		--with-ld-opt="$(HARDEN_LD)" \
		"$${NGX_CONF_FLAGS[@]}" --add-dynamic-module=$(TOP) \
		--builddir=$(OUT)/module' > $(OUT)/module/configure.log 2>&1 \
		|| { tail -n 20 $(OUT)/module/configure.log; exit 1; }
	@touch $@

$(B)/module/ngx_http_fota_module.so: $(B)/module/Makefile \
		$(NGINX_SRC)
	$(call say,NGINX,$@)
	$(Q)$(MAKE) --no-print-directory $(if $(V),,-s) -C $(B)/nginx-src \
		-f $(OUT)/module/Makefile modules
	@touch $@


# nginx with the module linked in, under ASAN and UBSAN.  Pool allocations
# go to malloc, so that overruns inside a pool are seen.  NULL with length 0
# given to memcpy is nginx's habit, hence no nonnull-attribute, and so is to
# move pointers that are not set along with the buffer of a request line.
# Leaks are not its concern, see asan_options.c.

ASAN_CC = -O1 -g $(SANFLAGS) \
	-fno-sanitize=nonnull-attribute,pointer-overflow \
	-DNGX_DEBUG_PALLOC=1 -DNGX_HAVE_NONALIGNED=0

$(B)/asan/nginx-src/configure: conf/dev/nginx-src.sh
	conf/dev/nginx-src.sh $(OUT)/cache $(OUT)/asan/nginx-src
	@touch $@

$(B)/asan/sources: FORCE
	$(call stamp,$(NGINX_SRC))

$(B)/asan/asan_options.o: conf/dev/asan_options.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(WARNINGS) -O1 -g -c -o $@ $<

ASAN_LD = -fsanitize=address,undefined $(OUT)/asan/asan_options.o

$(B)/asan/objs/Makefile: $(B)/asan/nginx-src/configure config \
		$(B)/asan/asan_options.o $(B)/asan/sources
	$(call say,CONF,$(B)/asan)
	$(Q)cd $(B)/asan/nginx-src && ./configure --with-debug --with-threads \
		--prefix=/usr/share/nginx --with-cc="$(CC)" \
		--conf-path=/etc/nginx/nginx.conf --with-pcre-jit \
		--error-log-path=stderr --http-log-path=/var/log/nginx/access.log \
		--with-http_ssl_module --with-http_v2_module \
		--with-http_slice_module --with-http_secure_link_module \
		--with-http_realip_module --with-http_stub_status_module \
		--with-http_auth_request_module --with-http_gunzip_module \
		--with-http_sub_module --with-http_addition_module \
		--with-http_gzip_static_module \
		--with-cc-opt='$(ASAN_CC)' \
		--with-ld-opt='$(ASAN_LD)' \
		--add-module=$(TOP) --builddir=$(OUT)/asan/objs \
		> $(OUT)/asan/configure.log 2>&1 \
		|| { tail -n 20 $(OUT)/asan/configure.log; exit 1; }
	@touch $@

$(B)/asan/nginx: $(B)/asan/objs/Makefile \
		$(NGINX_SRC)
	$(call say,NGINX,$@)
	$(Q)$(MAKE) --no-print-directory $(if $(V),,-s) -C $(B)/asan/nginx-src \
		-f $(OUT)/asan/objs/Makefile $(OUT)/asan/objs/nginx
	cp $(B)/asan/objs/nginx $@

asan-nginx: deps
	@$(MAKE) --no-print-directory $(B)/asan/nginx


# Tests

CPPCHECK = cppcheck -q --std=c11 --enable=warning,performance,portability \
	--suppress=legacyUninitvar --inline-suppr --error-exitcode=1 \
	-D_GNU_SOURCE -I$(CORE)

# What run.py --selftest gives a fault to, beside the checkers of its own.

LINT_TOOLS = $(CPPCHECK);$(CC) $(WARNINGS) -O2 -c -o /dev/null;$(CLANG) \
	$(WARNINGS) -O2 -c -o /dev/null

# A second compiler warns of other things.

lint: deps
	@$(MAKE) --no-print-directory programs module
	@$(MAKE) --no-print-directory CC=$(CLANG) B=$(B)/clang programs
	$(CPPCHECK) $(CORE) $(AGENT) $(SERVER) $(CLI)
	FOTA_BUILD=$(OUT) FOTA_LINT_TOOLS='$(LINT_TOOLS)' \
		$(PYTHON) tests/lint/run.py --selftest
	FOTA_BUILD=$(OUT) $(PYTHON) tests/lint/run.py

# E2E_JOBS: files of tests at a time; 0 runs one test after the other.  What
# pytest would keep of the last runs goes, except after a failure.

E2E_JOBS ?= 2

e2e: build
	@$(MAKE) --no-print-directory props tools
	@tmp=$$(mktemp -d /tmp/fota-e2e-XXXXXX) && \
	FOTA_BUILD=$(OUT) FOTA_TOP=$(TOP) $(PYTEST) -q -p no:cacheprovider \
		--basetemp=$$tmp/t -n $(E2E_JOBS) --dist loadfile \
		$(E2E_ARGS) tests/e2e && rm -rf $$tmp

# All parts run even when one fails, so that one run tells everything.

test: deps
	@failed=; for t in build unit coverage lint e2e; do \
		echo "== make $$t"; \
		$(MAKE) --no-print-directory $$t || failed="$$failed $$t"; \
	done; \
	echo "== make test ran build, $(words $(UNIT)) unit test programs" \
		"and their coverage, lint with its planted faults, e2e"; \
	test -z "$$failed" || { echo "test: FAILED:$$failed"; exit 1; }; \
	echo "test: passed"

# The same e2e tests with every program of ours and nginx under sanitizers.

asan-build: deps
	@$(MAKE) --no-print-directory SAN=1 B=$(B)/san programs units tools props
	@$(MAKE) --no-print-directory $(B)/asan/nginx
	@mkdir -p $(B)/san/asan
	@cp -f $(B)/asan/nginx $(B)/san/asan/nginx

asan: asan-build
	@$(MAKE) --no-print-directory SAN=1 B=$(B)/san unit
	FOTA_BUILD=$(OUT)/san FOTA_TOP=$(TOP) FOTA_ASAN=1 \
		FOTA_NGINX=$(OUT)/san/asan/nginx \
		$(PYTEST) -q -p no:cacheprovider $(E2E_ARGS) tests/e2e

# FUZZ_TIME: seconds for each target.

FUZZ_TIME ?= 30

$(B)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CLANG) $(filter-out -O2,$(BASEFLAGS)) -O1 -MMD -MP \
		-fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=undefined -c -o $@ $<

$(B)/fuzz/libfotacore.a: $(patsubst %.c,$(B)/fuzz/obj/%.o,$(CORE_SRC))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(B)/fuzz/fuzz_%: $(B)/fuzz/obj/tests/fuzz/fuzz_%.o $(B)/fuzz/libfotacore.a
	$(call say,LINK,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(CORE_LIBS)

fuzzers: $(FUZZ)
	@:

fuzz: deps
	@$(MAKE) --no-print-directory fuzzers
	@set -e; for f in $(FUZZ); do \
		n=$$(basename $$f); echo "== $$n"; \
		mkdir -p $(B)/fuzz/corpus/$$n $(B)/fuzz/crash; \
		seed=tests/fuzz/corpus/$$n; test -d $$seed || seed=; \
		$$f -max_total_time=$(FUZZ_TIME) -timeout=5 -print_final_stats=0 \
			-artifact_prefix=$(B)/fuzz/crash/$$n- \
			$(B)/fuzz/corpus/$$n $$seed > $(B)/fuzz/$$n.log 2>&1 \
			|| { tail -n 40 $(B)/fuzz/$$n.log; exit 1; }; \
		tail -n 1 $(B)/fuzz/$$n.log; \
	done

coverage: deps
	@mkdir -p $(B)/cov; find $(B)/cov -name '*.gcda' -delete
	@$(MAKE) --no-print-directory COV=1 B=$(B)/cov unit
	gcovr --root $(TOP) --object-directory $(B)/cov \
		--filter '$(CORE)/' --print-summary
	gcovr --root $(TOP) --object-directory $(B)/cov --fail-under-line 95 \
		--filter '$(CORE)/fota_(policy|path|token|record|buf|meta)' \
		> /dev/null

bench: build
	FOTA_BUILD=$(OUT) FOTA_TOP=$(TOP) tests/bench/run.sh


# The demonstration system, see conf/dev/run.sh

run: build
	@FOTA_BUILD=$(OUT) FOTA_TOP=$(TOP) conf/dev/run.sh start

stop:
	@FOTA_BUILD=$(OUT) FOTA_TOP=$(TOP) conf/dev/run.sh stop

clean-run:
	@FOTA_BUILD=$(OUT) FOTA_TOP=$(TOP) conf/dev/run.sh clean

clean:
	rm -rf $(B)


-include $(shell find $(B)/obj $(B)/fuzz/obj -name '*.d' 2>/dev/null)
