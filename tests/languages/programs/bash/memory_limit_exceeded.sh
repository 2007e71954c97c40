held=xxxxxxxxxxxxxxxx
while :; do held+=$held; done
