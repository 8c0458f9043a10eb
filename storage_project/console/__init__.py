"""What the administration pages of all apps share: the site, the base of every page, the asking
before something is done. The pages themselves are in the `admin` of each app."""
