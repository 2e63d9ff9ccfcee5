# SPDX-License-Identifier: ISC
$(eval $(call fuzz_target,resume,rendd/resume.o $(ws_OBJS),))
