parent_world_OBJS = regress/lib/parent_world.o regress/lib/drive.o relayd/parent.o \
	relayd/give.o relayd/child.o relayd/childlog.o relayd/logline.o \
	common/base/uuid.o relayd/limits.o relayd/notify.o relayd/watch.o \
	relayd/usage.o relayd/processes.o common/metrics/count.o \
	common/imsg/chan.o common/base/build.o common/base/clock.o \
	common/base/compat.o common/proc/conf.o $(imsg_PURE_OBJS) \
	common/base/log.o
