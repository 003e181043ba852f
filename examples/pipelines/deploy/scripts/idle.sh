# Prints the side that is not live.
if [ "$(cat site/live)" = blue ]; then echo green; else echo blue; fi
