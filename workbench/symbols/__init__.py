"""What an address means: compiled functions with their lines, shared libraries, and who called whom.

    elf.py      sections and symbols of an ELF file
    dwarf.py    line tables and inlined functions of a compiled object
    unwind.py   callers of library code, which keeps no frame pointer
    process.py  the journal of a watched process: which object lay where, and when
    naming.py   a sample of a process as a folded stack

Pure reading: nothing here runs or watches a program.
"""
