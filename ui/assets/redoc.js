// Starts Redoc on this server's own description, with fonts that every system has.
Redoc.init(
  "openapi.json",
  {
    expandResponses: "200,202",
    hideDownloadButton: true,
    scrollYOffset: "nav",
    theme: {
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
        code: { fontFamily: "ui-monospace, monospace" },
      },
    },
  },
  document.getElementById("docs"),
);
