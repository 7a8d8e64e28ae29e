// In a file of its own: the page's Content-Security-Policy allows no inline script.
SwaggerUIBundle({
  url: document.getElementById("docs").dataset.document,
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  // The key stays in the page's memory.
  persistAuthorization: false,
  tryItOutEnabled: true,
  // The default asks a service elsewhere.
  validatorUrl: null,
});
