# SPDX-License-Identifier: ISC
$(eval $(call unit_fast_test,signin_test,authd/core/signin.o common/base/compat.o,$(SODIUM_LIBS)))
