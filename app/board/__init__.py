"""The board over HTTP: its page, its API, its stream of news, and the seat.

Its content comes from a process beside the server (`app.board.analyst`), which `cli` hands in.
"""
