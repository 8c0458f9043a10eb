#!/bin/busybox sh
# All that runs in the guest: it answers commands on its serial console, one line each.
# asked: "<number> <shell command>"    answered: "@<number> <exit code> <output, each newline as ~>"
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
echo 0 > /proc/sys/kernel/printk
exec < /dev/ttyS0 > /dev/ttyS0 2>&1
stty -echo -onlcr icrnl
echo "!ready"
while read -r number command; do
  [ -n "$command" ] || continue
  output=$(eval "$command" 2>&1)
  code=$?
  echo "@$number $code $(echo "$output" | tr '\n' '~')"
done
