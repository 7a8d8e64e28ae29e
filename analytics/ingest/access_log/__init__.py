"""What a line of a web server's access log says, and whether it is a page view.

Pure. One module for each family of formats, `formats` tells which a log has,
`reading` opens it. Decides nothing that needs a site: whose visit it was, and
whether that visitor counts.
"""
