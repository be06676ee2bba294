"""Numbers to pages: terminal, Markdown and offline HTML, from the records alone, so that a report can be remade."""
