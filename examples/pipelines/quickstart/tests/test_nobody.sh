GREET_TEST=1
. ../src/greet.sh
[ "$(greet)" = "hello, nobody" ]
