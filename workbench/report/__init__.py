"""Numbers to pages: terminal, Markdown and offline HTML from the records alone, so a report can be remade at any time."""
