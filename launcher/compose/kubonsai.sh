#!/bin/sh
# `kubonsai` in the image: `wait`, `load`, `images`, `kubectl ...`; the cluster itself is made by docker-compose.yml.
case "${1:-}" in
    wait) shift; exec python -m launcher.compose wait "$@" ;;
    *) exec python -m launcher.cli.main "$@" ;;
esac
