GREET_TEST=1
. ../src/greet.sh
[ "$(greet Zoë)" = "hello, Zoë" ]
