# The application does what it should.
set -eu
[ "$(sh django/app.sh world)" = "hello, world" ]
[ "$(sh django/app.sh)" = "hello, nobody" ]
echo "2 tests passed"
