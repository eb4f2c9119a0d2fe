@echo off
rem Installs ImageDuplicateFinder into its own .venv (first time), brings it up to date and starts
rem it: the web app, or "idf" with whatever verb and options are given here. --no-update leaves
rem the checkout as it is.
setlocal EnableExtensions EnableDelayedExpansion

rem A double-clicked window (no arguments, /c) would close before a message can be read.
set "IDF_LINE=!CMDCMDLINE!"
set "IDF_WAITS="
if "%~1"=="" if defined IDF_LINE if not "!IDF_LINE:/c=!"=="!IDF_LINE!" set "IDF_WAITS=1"

rem Each candidate is run, not only looked up: the Microsoft Store leaves names that start nothing.
setlocal DisableDelayedExpansion
set "IDF_PYTHON="
set "IDF_TOO_OLD="
set "IDF_NO_VENV="
call :try py -3.13
call :try py -3.12
call :try py -3.11
call :try py -3.14
call :try python3
call :try python
call :try py -3
if not defined IDF_PYTHON goto :no_python

set IDF_ARGUMENTS=%*
set "IDF_START=%~dp0scripts\start.py"
rem From here on values are put in after a line was taken apart, so "&" and ")" in them do no harm.
setlocal EnableDelayedExpansion
rem cmd reads on in this file after each command, and the update may have replaced it by then. A
rem block is read as a whole before its first command runs.
(
    !IDF_PYTHON! "!IDF_START!" !IDF_ARGUMENTS!
    set "IDF_STATUS=!ERRORLEVEL!"
    if defined IDF_WAITS if not "!IDF_STATUS!"=="0" pause
    exit /b !IDF_STATUS!
)

:try
rem Takes the Python that a command starts, be it a program or a batch file (pyenv's python.bat,
rem which would not come back if it were run here itself): for /f runs it in a cmd of its own.
if defined IDF_PYTHON exit /b 0
set "IDF_FOUND="
rem for /f reads what is printed in the console's code page, Python prints in another one.
set "IDF_ENCODING=%PYTHONIOENCODING%"
set "PYTHONIOENCODING=oem:replace"
for /f "usebackq delims=" %%P in (`%* -c "import sys; print(sys.executable)" 2^>nul`) do set "IDF_FOUND=%%P"
set "PYTHONIOENCODING=%IDF_ENCODING%"
if not defined IDF_FOUND exit /b 0
set "IDF_CALL="
if exist "%IDF_FOUND%" (
    set IDF_FOUND="%IDF_FOUND%"
) else (
    rem Its path has letters that this code page lacks: the command stays what it was.
    set IDF_FOUND=%*
    set "IDF_CALL=call"
)
%IDF_CALL% %IDF_FOUND% -c "import sys; sys.exit(sys.version_info[:2] < (3, 11))" >nul 2>nul
set "IDF_STATUS=%ERRORLEVEL%"
rem A Python that crashes ends with a negative number, which "if errorlevel 1" takes for success.
if "%IDF_STATUS%"=="1" set "IDF_TOO_OLD=1"
if not "%IDF_STATUS%"=="0" exit /b 0
%IDF_CALL% %IDF_FOUND% -c "import ensurepip, venv" >nul 2>nul
set "IDF_STATUS=%ERRORLEVEL%"
if "%IDF_STATUS%"=="1" set "IDF_NO_VENV=1"
if "%IDF_STATUS%"=="0" set IDF_PYTHON=%IDF_FOUND%
exit /b 0

:no_python
if defined IDF_NO_VENV (
    echo This Python lacks its venv module; install Python from https://www.python.org/downloads/ instead. 1>&2
) else if defined IDF_TOO_OLD (
    echo This Python is too old: ImageDuplicateFinder needs Python 3.11 or newer from https://www.python.org/downloads/. 1>&2
) else (
    echo No Python was found: ImageDuplicateFinder needs Python 3.11 or newer from https://www.python.org/downloads/. 1>&2
)
if defined IDF_WAITS pause
exit /b 1
