#!/usr/bin/env python
from krafter.command import main

if __name__ == "__main__":
    main()
