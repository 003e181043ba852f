# Puts a release on the side that is not live.
set -e
side=$(sh "$(dirname "$0")/idle.sh")
rm -rf "site/$side.new"
cp -r "$1" "site/$side.new"
rm -rf "site/$side"
mv "site/$side.new" "site/$side"
echo "the release is on $side"
