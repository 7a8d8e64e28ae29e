// A reload would send the form of this page again: the address becomes another one's.
history.replaceState(null, "", document.currentScript.dataset.url);
