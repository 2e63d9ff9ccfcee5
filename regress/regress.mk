# SPDX-License-Identifier: ISC
#
# Unit tests are regress/unit/NAME.c, each with a fragment regress/unit/NAME.mk
# of one line, so that two changes never meet in one file:
#
#	$(eval $(call unit_test,yamux_test,common/yamux/yamux.o common/base/compat.o,))
#
# name (its own object is implied), the objects it links, libraries. NAME ends
# in _test. unit_fast_test is the same for a test that measures memory or needs
# a million rounds: `make check` builds it too, but tools/check runs the one in
# build/fast, which has no sanitizers. A fragment whose test needs the movable
# clock stands between ifeq ($(TESTING),yes) and endif.
#
# Other kinds of test are executable files regress/*/*.t; they find the programs
# through RELAYD_BUILD, the tree through RELAYD_SRC, and the build without
# sanitizers through RELAYD_FAST_BUILD.

define test_link
OBJS += regress/$(1).o $(2)
regress/$(1): regress/$(1).o $(2) $$(filter %.a,$(3))
	@mkdir -p $$(@D)
	$$(SAY) "  LINK  $$@"
	$$(Q)$$(LINK) $$(PIE_LDFLAGS) -o $$@ regress/$(1).o $(2) $(3)
endef
define unit_test
UNIT_TESTS += regress/unit/$(1)
$(call test_link,unit/$(1),$(2),$(3))
endef
define unit_fast_test
UNIT_FAST_TESTS += regress/unit/$(1)
$(call test_link,unit/$(1),$(2),$(3))
endef
define proc_test
UNIT_TESTS += regress/proc/$(1)
$(call test_link,proc/$(1),$(2),$(3))
endef
define proc_fast_test
UNIT_FAST_TESTS += regress/proc/$(1)
$(call test_link,proc/$(1),$(2),$(3))
endef

-include $(wildcard $(srcdir)/regress/lib/*.mk)
-include $(wildcard $(srcdir)/regress/unit/*.mk $(srcdir)/regress/proc/*.mk)

# Those of regress/soak take minutes of real time: only `make soak` runs them,
# or T=name.
SOAK_TESTS = $(abspath $(sort $(wildcard $(srcdir)/regress/soak/*.t)))
SCRIPT_TESTS = $(filter-out $(SOAK_TESTS),\
	$(abspath $(sort $(wildcard $(srcdir)/regress/*/*.t))))
UNIT_RUN = $(UNIT_TESTS) $(addprefix $(if $(FAST),$(FAST)/),$(UNIT_FAST_TESTS)) \
	$(FUZZ_REPLAYS)
ALL_TESTS = $(abspath $(UNIT_RUN)) $(SCRIPT_TESTS)
RUN_TESTS = sh $(srcdir)/tools/run-tests -b . $(if $(FAST),-f $(FAST)) \
	$(if $(JOBS),-j $(JOBS))

.PHONY: tests print-tests soak
# With all: what tests start is of one daemon, of which no part may be older.
tests: all $(UNIT_TESTS) $(UNIT_FAST_TESTS) $(FUZZ_REPLAYS)

# For tools/check, which runs them itself.
print-tests:
	@printf '%s\n' $(ALL_TESTS)

# T=name: a unit test, a fuzz target or a script, with or without its suffix.
T_FOUND = $(foreach t,$(T),$(firstword \
	$(filter %/$(t) %/$(t)_test %/$(t)_replay,$(UNIT_RUN)) \
	$(filter %/$(t) %/$(t).t,$(SCRIPT_TESTS) $(SOAK_TESTS))))

ifneq ($(strip $(T)),)
check: all $(filter-out %.t,$(T_FOUND))
	@test -n "$(strip $(T_FOUND))" || { echo "no test named $(T)"; exit 1; }
	$(RUN_TESTS) -v $(T_FOUND)
regress: check
else
check: tests
	$(RUN_TESTS) $(UNIT_RUN)
regress: tests
	@test "$(TESTING)" = yes || \
	    { echo "configure with --enable-testing first"; exit 1; }
	$(RUN_TESTS) $(ALL_TESTS)
endif

# All at once: they mostly wait. RELAYD_SOAK_SECONDS (600) is how long.
# -v leaves the results of the last whole run where they are.
soak: all
	RELAYD_TEST_SECONDS=$$(($${RELAYD_SOAK_SECONDS:-600} + 600)) \
	    sh $(srcdir)/tools/run-tests -b . -v \
	    -j $(words $(SOAK_TESTS)) $(SOAK_TESTS)

# Through a haproxy before three members; tools/check has some of them.
FRONT_TESTS = $(addprefix $(srcdir)/regress/e2e/,$(shell \
	awk '$$2 == "check" || $$2 == "whole" { print $$1 }' \
	$(srcdir)/regress/e2e/front.list))
.PHONY: check-front
check-front: tests
	RELAYD_FRONT=haproxy sh $(srcdir)/tools/run-tests -b . \
	    $(if $(FAST),-f $(FAST)) $(if $(JOBS),-j $(JOBS)) $(FRONT_TESTS)

# What tools/check has a short form of; RELAYD_SEED is in what they print.
TORTURE_TESTS = $(addprefix $(srcdir)/regress/e2e/,torture.t failing.t)
.PHONY: torture
torture: all
	RELAYD_TORTURE_SECONDS=$${RELAYD_TORTURE_SECONDS:-600} \
	    RELAYD_FAILING_SECONDS=$${RELAYD_FAILING_SECONDS:-0} \
	    RELAYD_TEST_SECONDS=7200 \
	    sh $(srcdir)/tools/run-tests -b . -v $(TORTURE_TESTS)
