$(eval $(call unit_test,cast_test,termd/cast.o,))
