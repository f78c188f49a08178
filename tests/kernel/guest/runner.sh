#!/bin/bash
# In the guest: runs each script that appears in the shared folder's in/, in the order of their names, once. NAME's output goes to
# out/NAME.log while it runs, its exit code to out/NAME.rc. A script may reboot the guest: it is over when its code is written, and the
# next one runs after the boot. The script 'poweroff' ends the guest.
set -u
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none share /share || exit 1
echo "the guest is up: $(uname -r)"
date >/share/out/up
while :; do
	for script in /share/in/*; do
		name=${script##*/}
		if [ ! -e "$script" ] || [ -e "/share/out/$name.rc" ]; then continue; fi
		if [ "$name" = poweroff ]; then systemctl poweroff; exit; fi
		bash "$script" >"/share/out/$name.log" 2>&1 </dev/null
		code=$?
		sync
		echo $code >"/share/out/$name.tmp" && mv "/share/out/$name.tmp" "/share/out/$name.rc"
	done
	sleep 0.5
done
