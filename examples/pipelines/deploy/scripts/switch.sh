# Lets the side that is not live go live, in one step: whoever asks gets one side or the other.
set -e
side=$(sh "$(dirname "$0")/idle.sh")
[ -d "site/$side" ] || { echo "$side is empty" >&2; exit 1; }
echo "$side" > site/live.new
mv site/live.new site/live
echo "$side is live"
