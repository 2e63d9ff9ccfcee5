# SPDX-License-Identifier: ISC
# A broken child, for scripts that put it into a libexec of their own.
standin_OBJS = $(imsg_PURE_OBJS) common/base/compat.o common/base/build.o
$(eval $(call test_link,lib/standin,$(standin_OBJS),))
tests: regress/lib/standin
