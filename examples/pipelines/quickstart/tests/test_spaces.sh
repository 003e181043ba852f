GREET_TEST=1
. ../src/greet.sh
[ "$(greet "two words")" = "hello, two words" ]
