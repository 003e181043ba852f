mkdir -p "$HOME/.circleci/bin"
cat >"$HOME/.circleci/bash_env" <<'END'
export BASH_ENV="$HOME/.circleci/bash_env"
export PATH="$HOME/.circleci/bin:$PATH"
if [ -e "$HOME/.circleci/halted" ] && [ "$(cat "$HOME/.circleci/halted")" != "$CI_CORE_STEP" ]; then exit 0; fi
END
cat >"$HOME/.circleci/bin/circleci" <<'END'
