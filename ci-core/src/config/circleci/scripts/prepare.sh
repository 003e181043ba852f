mkdir -p "$HOME/.circleci/bin"
cat >"$HOME/.circleci/bash_env" <<'END'
export BASH_ENV="$HOME/.circleci/bash_env"
export PATH="$HOME/.circleci/bin:$PATH"
if [ -e "$HOME/.circleci/halted" ] && [ "$(cat "$HOME/.circleci/halted")" != "$CI_CORE_STEP" ]; then exit 0; fi
END
cat >"$HOME/.circleci/bin/circleci" <<'END'
#!/bin/sh
if [ "$1 $2" = "step halt" ]; then
  printf %s "$CI_CORE_STEP" >"$HOME/.circleci/halted"
  exit 0
fi
if [ -z "$CI_CORE_PROGRAM" ]; then
  echo "circleci $*: needs the \`ci\` program beside the job" >&2
  exit 1
fi
exec "$CI_CORE_PROGRAM" shim circleci "$@"
END
cp "$HOME/.circleci/bin/circleci" "$HOME/.circleci/bin/circleci-agent"
chmod +x "$HOME/.circleci/bin/circleci" "$HOME/.circleci/bin/circleci-agent"
