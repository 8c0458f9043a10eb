"""A browser window as a person sees it: words, and links, buttons and fields by their labels."""

from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE_S = 10


class Window:
    """Opens pages of the server at `address`."""

    def __init__(self, chrome: Chrome, address: str) -> None:
        self._chrome = chrome
        self.address = address
        chrome.implicitly_wait(PATIENCE_S)
        chrome.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.look(width=1400)

    def look(self, *, width: int, dark: bool = False) -> None:
        """Look through a window of this width, by day or by night."""
        self._chrome.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})

    def open(self, path: str) -> None:
        self._chrome.get(f"{self.address}{path}")

    @property
    def path(self) -> str:
        return self._chrome.current_url.removeprefix(self.address)

    @property
    def heading(self) -> str:
        return self.find("#content h1").text

    @property
    def text(self) -> str:
        """All words on the page that can be seen."""
        return self._chrome.find_element(By.TAG_NAME, "body").text

    @property
    def messages(self) -> list[str]:
        """What the page says about the last thing done."""
        return [item.text for item in self.find_all(".messagelist li")]

    def find(self, selector: str) -> WebElement:
        return self._chrome.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """All that match; none is an answer too, for which it does not wait."""
        self._chrome.implicitly_wait(0)
        try:
            return self._chrome.find_elements(By.CSS_SELECTOR, selector)
        finally:
            self._chrome.implicitly_wait(PATIENCE_S)

    def rows(self) -> list[str]:
        """The rows of a list, each as its words."""
        return [row.text.replace("\n", " ") for row in self.find_all("#result_list tbody tr")]

    def follow(self, words: str) -> None:
        """Click the link with these words in the page itself."""
        self._go(self._chrome.find_element(By.XPATH, f"//main//a[normalize-space()={words!r}]"))

    def press(self, label: str) -> None:
        """Press a button."""
        button = f"//button[normalize-space()={label!r}] | //input[@value={label!r}]"
        self._go(self._chrome.find_element(By.XPATH, button))

    def _go(self, element: WebElement) -> None:
        """Click what leads to another page, and wait until that is there."""
        self._chrome.execute_script("window.left = true")
        element.click()
        WebDriverWait(self._chrome, PATIENCE_S).until(
            lambda chrome: chrome.execute_script(
                "return !window.left && document.readyState === 'complete'"
            )
        )

    def fill(self, label: str, value: str) -> None:
        """Type into a field in place of what it says, or choose from a list."""
        field = self._field(label)
        if field.tag_name == "select":
            Select(field).select_by_visible_text(value)
        else:
            field.clear()
            field.send_keys(value)

    def value(self, label: str) -> str:
        return self._field(label).get_attribute("value") or ""

    def _field(self, label: str) -> WebElement:
        found = self._chrome.find_element(
            By.XPATH, f"//main//label[starts-with(normalize-space(), {label!r})]"
        )
        field: WebElement = found.get_property("control")  # type: ignore[assignment]
        return field

    def run(self, script: str) -> Any:
        """The value of a piece of JavaScript on the page."""
        return self._chrome.execute_script(f"return {script}")

    @property
    def loaded(self) -> list[str]:
        """The address of everything that the page has loaded."""
        return self.run("performance.getEntriesByType('resource').map(entry => entry.name)")

    @property
    def is_too_wide(self) -> bool:
        """Whether the page has to be moved sideways to be read."""
        return self.run(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )

    @property
    def complaints(self) -> list[str]:
        """What the browser's own console has said since it was last asked: errors of scripts,
        files that are missing."""
        return [entry["message"] for entry in self._chrome.get_log("browser")]
