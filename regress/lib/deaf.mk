# The worker of regress/e2e/deadlines.t.
DEAF_OBJS = regress/lib/deaf.o $(proc_OBJS)
OBJS += $(DEAF_OBJS)
tests check: regress/lib/deaf
regress/lib/deaf: $(DEAF_OBJS)
	@mkdir -p $(@D)
	$(SAY) "  LINK  $@"
	$(Q)$(LINK) $(PIE_LDFLAGS) -o $@ $(DEAF_OBJS) $(EVENT_LIBS) \
	    $(SODIUM_LIBS)
