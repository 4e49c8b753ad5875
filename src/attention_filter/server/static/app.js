// What a browser adds to pages that work without it: keys, toasts, live news. One file, no build step.
