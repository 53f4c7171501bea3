#!/bin/sh
# Draws report.png: the top of the page of the README's report. Needs chromium, and the `log/` that the README's
# two commands leave behind. Run from the repository: sh docs/pictures/report.sh
set -e
page=$(mktemp -d)/report.html
.venv/bin/segue report log --experiment liked_track_vs_personal --html "$page" >/dev/null
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1100,1390 \
  --virtual-time-budget=4000 --screenshot=docs/pictures/report.png "file://$page" 2>/dev/null
