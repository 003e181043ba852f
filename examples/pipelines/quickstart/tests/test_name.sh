GREET_TEST=1
. ../src/greet.sh
[ "$(greet world)" = "hello, world" ]
