"""What a line of a web server's access log means, and whether it is a page view.

Pure. There is one module for each family of formats; `formats` detects the format of a
log, and `reading` opens the file. Nothing here needs the site: visitors and drop rules
are applied elsewhere.
"""
